"""The boundary proof: every outside call of a delivery, every fault, every company.

A cell is one of each, and is played in a world of its own: the real handler in processes that are
really killed, with real SDKs over HTTP through a proxy to moto and the vendors' stand-ins, on a
clock that stands still until the driver lets it pass. What it shows is judged by the rules.

`run` plays cells, `cells` names them, `results` says what became of them, and `driver` plays one
after the other in one's own process. Nothing is imported here: whoever forks workers must be the
first to touch `time`.
"""
