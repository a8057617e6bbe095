"""A question and a passage as one input of a pretrained encoder: where the answer starts and ends, if it does."""
