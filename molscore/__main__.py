"""`python -m molscore` is the command `molscore`."""

from molscore.cli import main

if __name__ == "__main__":
    main()
