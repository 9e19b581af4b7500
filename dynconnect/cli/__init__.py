"""The command line: one file per command. Only here: click, rich.

What a command says about its work goes to stderr; stdout has nothing but results.
"""
