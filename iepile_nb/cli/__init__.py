"The commands. Ctrl-C while one of them imports what it needs is no error."
from ..lib.process import quiet_interrupts

quiet_interrupts()
