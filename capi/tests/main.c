/* The tests of the C API: all of them, or those whose names contain an argument. */
#include "check.h"

int main(int argc, char **argv) { return run_tests(argc, argv) == 0 ? 0 : 1; }
