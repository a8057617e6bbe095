"""``ietool clean``: labels that models disagree with which have not seen the text.

suggest.py   what is missing, doubtful or wrong in one record
review.py    the table that is looked at and ticked
cleaning.py  a group → the review
applying.py  a review → a new training file
"""
