"""What people read on screen: tables, and what other libraries' names are called here.

May import nothing of the package.
"""
