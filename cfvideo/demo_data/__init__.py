"""Small real videos for the demo and the tests: handwritten digits set in motion over two photographs.

`make.py` is the entrance; `motions.py`, `weak_tags.py`, `render.py` and `encode.py` each hold one ingredient.
"""
