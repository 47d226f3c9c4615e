/* Stands in for the shim when the runner itself is tested: does nothing. */
int standin_quiet;
