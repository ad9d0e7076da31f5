"""A Functions host: runs a Function App of the Python v2 programming model against queues and clocks of the lab.

It follows the documents of Azure Functions 4.x and of its Python worker, and refuses what they refuse.
"""
