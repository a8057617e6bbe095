"""What the two-stage decoder makes of perfect scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ietool.tasks.ske.features.labelling import Row
from ietool.text.spans import nearest_spans


def perfect_rows(windows: Sequence[Sequence[Row]], labels: int) -> list[list[Row]]:
    """What decoding gives for each window when every start and end probability is exactly the label.

    As the reader works: subject starts take the nearest end; then, for each subject span so found, the object starts
    of each of the ``labels`` labels take the nearest end. A span that no gold row has as its subject has no objects.
    """
    found: list[list[Row]] = [[] for _ in windows]
    flat = np.array([(i, *row) for i, rows in enumerate(windows) for row in rows], np.int64).reshape(-1, 6)
    if not len(flat):
        return found
    at, s0, s1, label, o0, o1 = flat.T
    length = int(max(s1.max(), o1.max())) + 1
    begins, ends = np.unique(at * length + s0), np.unique(at * length + s1 - 1)
    kept_s, kept_e, _ = nearest_spans(begins % length, ends % length, begins // length, ends // length, length)
    # A span by one number: its place among all characters of all windows, and its end.
    subjects = begins[kept_s] * length + ends[kept_e] % length
    own = (at * length + s0) * length + s1 - 1
    pair = np.searchsorted(subjects, own)
    pair[pair == len(subjects)] = 0
    found_subject = subjects[pair] == own
    group = (pair * labels + label)[found_subject]
    starts = np.unique(group * length + o0[found_subject])
    stops = np.unique(group * length + o1[found_subject] - 1)
    kept_o, kept_p, groups = nearest_spans(starts % length, stops % length, starts // length, stops // length, length)
    span = subjects[groups // labels]
    columns = (
        span // length // length,
        span // length % length,
        span % length + 1,
        groups % labels,
        starts[kept_o] % length,
        stops[kept_p] % length + 1,
    )
    for i, *row in np.stack(columns, 1).tolist():
        found[i].append((row[0], row[1], row[2], row[3], row[4]))
    return found
