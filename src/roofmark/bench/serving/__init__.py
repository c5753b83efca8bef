"""Serving engines: started, asked, watched, profiled and stopped; part of the bench.

In: a loaded study of engines and an open bundle. Out: traces like those of kernels, and under
`serving/` every request, what was seen of each leg, and kernel tables.
"""
