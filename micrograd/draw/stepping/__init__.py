"""Play a graph forward and its backward pass, step by step, in a page or an animated picture.

May import `scene`, `folding` and `diagram`. Begin with page.py.
"""
