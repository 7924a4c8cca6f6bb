"""The soak: real processes are really killed while several hundred messages travel.

What the embedded AWS keeps of AWS's terms, read in its source and seen in every soak:

- An invocation whose process dies has failed: nothing of its batch is deleted, and the messages are
  seen again when the visibility has passed that the last heartbeat gave them.
- Each receive counts; what was received `maxReceiveCount` times and is visible again becomes a dead
  letter. A receipt handle is good until the next receive.
- The next batch gets a new process, and no more batches than the mapping's maximum concurrency are
  worked on at once.

What it does not keep, and what the soak does about it:

- It never delivers a message twice by itself: duplicates are put on the queue.
- It may lose a message that is sent while its mapping works on the same queue: the mapping is
  paused while messages are put there, and arrivals are spread by each message's own delay.
- A process that dies while it starts takes the function's other processes with it: blows fall on
  those at work, and what is lost so is a fault more.
- It may show an invocation's last lines of log with the next one of the same process only: the log
  is read when all is over, by each line's own time, and late duplicates of what was sent give every
  process one more batch.
- It has no redrive task: the person on duty moves dead letters one by one.
"""

from tests.faults.soak.reconciliation import Violation
from tests.faults.soak.result import Recovery, SoakResult, Storm
from tests.faults.soak.run import run

__all__ = ["Recovery", "SoakResult", "Storm", "Violation", "run"]
