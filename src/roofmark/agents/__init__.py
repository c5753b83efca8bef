"""Serving: roofmark as tools of a coding agent, over the Model Context Protocol.

In: a root folder, requests on stdin. Out: the JSON of the same commands, or their errors. Each tool
runs one command as a child process: a study is Python that would else run in the server, what it
prints would else reach the protocol, and what is cancelled can be ended whole.
"""
