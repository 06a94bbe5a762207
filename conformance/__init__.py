"""What is promised: tests only, one folder per chapter, one file per promise's topic."""
