"""Why a check fails: the known causes, tried one by one."""
