"""What is in a folder of competition files, from the files alone: which competition, how much, what is wrong with it,
which recipes fit."""
