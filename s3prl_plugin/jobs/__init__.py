"""Lists of work: one job after another, each in its own process or in this one; what is finished is not run again."""
