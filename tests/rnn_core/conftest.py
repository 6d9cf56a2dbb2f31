"""Settings of the tests in this folder."""

collect_ignore = ["tutorial_script.py"]  # a script to run, not a module whose doctests are looked for
