"""The soak: real processes are killed and frozen while several hundred messages are processed.

As AWS does, the embedded AWS deletes nothing of a batch whose process dies, counts each receive,
moves a message to the dead-letter queue after `maxReceiveCount` receives, starts a new process for
the next batch, and keeps to the mapping's maximum concurrency. What it does not do, the soak does:

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
