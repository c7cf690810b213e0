"A pickle that runs code."


class Runs:
    "Writes a file when it is unpickled."
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (str(self.path), 'w')
