"""Run the command line: python -m micrograd grade student.py."""

from micrograd.explain.known_mistakes.command import main

if __name__ == "__main__":
    raise SystemExit(main())
