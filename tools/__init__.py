"""Programs for those who work on this tree; none of them is shipped."""
