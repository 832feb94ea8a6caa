"""One file per selector: which given labels to trust.

A selector is a function of arrays in a thin class: ``select(y, **signals)`` takes the labels (N,) with -1 for a
missing one, and the arrays that it names in ``needs``; it returns ``(label_quality, keep)``, a score (N,) that is low
for a suspicious label (NaN for a missing one) and a mask (N,) of the labels it trusts.
"""
