#include <iostream>

#include "harness/cli.h"

int main(int argc, char** argv) {
  return missive::harness::cli_main(argc, argv, std::cout, std::cerr);
}
