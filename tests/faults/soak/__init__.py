"""The soak: real processes are killed and frozen while several hundred messages are processed.

What the embedded AWS does as AWS, read in its source and seen in every soak:

- An invocation whose process dies has failed: nothing of its batch is deleted, and the messages are
  visible again after the visibility timeout that the last heartbeat set.
- Each receive counts; a message that was received `maxReceiveCount` times and is visible again goes
  to the dead-letter queue. A receipt handle is valid until the next receive.
- The next batch gets a new process, and no more batches than the mapping's maximum concurrency are
  processed at once.

What it does not do, and what the soak does instead:

- It never delivers a message twice by itself: duplicates are put on the queue.
- It may lose a message that is sent while its mapping works on the same queue: the mapping is
  paused while messages are put there, and arrivals are spread by each message's own delay.
- A process that dies while it starts takes the function's other processes with it: faults are
  injected into working processes, and what is lost so is one more fault.
- It may show an invocation's last log lines with the next invocation of the same process only: the
  log is read when all is over, by each line's own time, and late duplicates of what was sent give
  every process one more batch.
- It has no redrive task: the operator moves dead-letter messages one by one.
"""
