#include "cli/commands.h"

int main(int argc, char** argv) {
  return bertha::cli::run_program(argc, argv);
}
