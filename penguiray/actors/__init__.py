"""The shell on Ray, and the only folder that imports it: a replica is an actor, a frame is an actor call.

    driver                                    replica actor
      RayEngine (thread) -- receive(frame) -->  data thread -> loop: inbox, worker, outbox
             ^ <---------- feedback ----------  (the call returns when the frame left the inbox)
             | -- collect() ----------------->  collect thread: waits for news, answers with a report
             | -- renew() ------------------->  control threads: lease, stop

A driver cannot be called, so what returns to it is the answer to a call of its own: one `collect()` is outstanding on
every replica. Replicas call one another in the same way that the driver calls them.
"""
