#pragma once

namespace bertha::cli {

/// From now on, for the command `name`: memory that is kept back is released when an allocation
/// fails, and the allocation is tried once more. So an error for lack of memory finds enough of it
/// to remove temporary files and to be printed. Where even that does not suffice, or where an
/// exception leaves a destructor, the program ends with one line and status 1.
void prepare_last_resort(const char* name);

/// Prints the line of a program that is out of memory, once however many threads call it. It
/// allocates nothing.
void say_out_of_memory();

}  // namespace bertha::cli
