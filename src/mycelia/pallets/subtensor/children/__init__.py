"""Children and parents: a hotkey lends others its say on a subnet, and shares in what they earn with it."""
