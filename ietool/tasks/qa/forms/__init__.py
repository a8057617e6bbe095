"""How files of each form are taken apart: ``documents`` finds the records of a file, ``recognise`` tells their form,
``webqa``, ``squad`` and ``dureader2`` make questions of them, ``reading`` puts it together."""
