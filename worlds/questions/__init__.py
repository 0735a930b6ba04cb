"""True questions about a moment of a world, with answers that follow from its log.

A question is made only where its answer is beyond doubt: nothing is coming, going or hidden at the
moment asked about, the thing meant is the only one of its kind, and places keep off the lines
between the ninths of the picture.
"""
