"""Estimators of scikit-learn, from files that joblib or pickle wrote.

Such a file is a program: reading it runs it. So a loader wants the digest of the file that is
trusted, and reads no other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mycelia.models.adapters.local import Local, commonest, described
from mycelia.models.cards import card_of, digest_of
from mycelia.models.face import Arrays, AskRefused, DigestDiffers, Model
from mycelia.models.store import ModelUnreadable


def load(path: Path, *, sha256: str) -> Model[Arrays, Arrays]:
    """Load a fitted estimator that takes rows of numbers.

    Asks have `rows`; answers have `predictions`, and `probabilities` where the estimator knows them.

    Raises:
        DigestDiffers: the file is not the one that is trusted.
        ModelUnreadable: it holds no fitted estimator.
    """
    found = digest_of(path)
    if found != sha256:
        raise DigestDiffers(path, sha256, found)
    import joblib  # type: ignore[import-untyped]  # noqa: PLC0415 -- heavy, and only where used

    try:
        estimator = joblib.load(path)
        features = int(estimator.n_features_in_)
    except Exception as cause:  # unpickling may raise anything
        raise ModelUnreadable(path) from cause

    def run(arrays: Arrays) -> Arrays:
        rows = arrays.get("rows")
        if rows is None or len(arrays) != 1 or rows.ndim != 2 or rows.shape[1] != features:
            raise AskRefused(f"it takes rows [*, {features}], and was given {described(arrays)}")
        try:
            answer = {"predictions": np.asarray(estimator.predict(rows))}
            if hasattr(estimator, "predict_proba"):
                answer["probabilities"] = np.asarray(estimator.predict_proba(rows))
        except (ValueError, TypeError) as cause:  # values that it does not take, such as NaN
            raise AskRefused(str(cause).splitlines()[0].rstrip(".")) from cause
        return answer

    return Local(
        run, card_of(path, "scikit-learn", lambda: _quantisation(estimator), "library-threads")
    )


def _quantisation(estimator: Any) -> str | None:
    values = [v for v in vars(estimator).values() if isinstance(v, list | np.ndarray)]
    arrays = [a for v in values for a in (v if isinstance(v, list) else [v])]
    found = [a for a in arrays if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    return commonest((array.dtype.name, array.size) for array in found)
