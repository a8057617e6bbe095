"""How often, at most, the host and a GPU speak to each other within a batch.

The copies in of a training step are those of its tensors, and small ones of which rows are computed together; no step
waits for the device, but that it is asked once whether sums have vanished (:func:`ietool.nn.global_pointer.log_sums`).
"""

from __future__ import annotations

from tests.pretend.counts import Told

TRAINING: dict[str, Told] = {
    "ske": Told(copies_in=9),
    "ske-cascade": Told(copies_in=9),
    "ske-gplinker": Told(copies_in=12, waits=1),
    "el": Told(copies_in=22),
    "el-cross": Told(copies_in=18),
    "el-cross-2020": Told(copies_in=18),
    "qa": Told(copies_in=12),
    "qa-dureader": Told(copies_in=12),
    "qa-span": Told(copies_in=7),
    "qa-mlm": Told(copies_in=5),
    "ner-crf": Told(copies_in=6),
    "ner-globalpointer": Told(copies_in=7, waits=1),
    "event-subject": Told(copies_in=7),
    "events": Told(copies_in=11, waits=1),
    "events-staged": Told(copies_in=10, waits=1),
    "nl2sql": Told(copies_in=16),
}
"""Flow → of one training step."""

PREDICTING: dict[str, Told] = {
    "ske": Told(copies_in=2, copies_out=2, waits=2),
    "ske-cascade": Told(copies_in=2, copies_out=2, waits=2),
    "ske-gplinker": Told(copies_in=2, copies_out=2, waits=2),
    "el": Told(copies_in=5, copies_out=2, waits=2),
    "el-cross": Told(copies_in=3, copies_out=2, waits=2),
    "el-cross-2020": Told(copies_in=4, copies_out=2, waits=2),
    "qa": Told(copies_in=1, copies_out=1, waits=1),
    "qa-dureader": Told(copies_in=1, copies_out=1, waits=1),
    "qa-span": Told(copies_in=1, copies_out=1, waits=1),
    "qa-mlm": Told(copies_in=1, copies_out=1, waits=1),
    "ner-crf": Told(copies_in=1, copies_out=1, waits=1),
    "ner-globalpointer": Told(copies_in=1, copies_out=1, waits=1),
    "event-subject": Told(copies_in=1, copies_out=1, waits=1),
    "events": Told(copies_in=3, copies_out=3, waits=3),
    "events-staged": Told(copies_in=4, copies_out=4, waits=4),
    "nl2sql": Told(copies_in=2, copies_out=2, waits=2),
}
"""Flow → of one batch of texts, all their windows."""
