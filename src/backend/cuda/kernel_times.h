#pragma once

// The GPU's time by the name of a kernel or product. Plain C++: nothing here needs a GPU.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bertha::cuda {

class KernelTimes {
 public:
  void add(std::string_view name, double microseconds);
  /// One line a name, the name with the most time first: calls, milliseconds in all, percentage of
  /// all, and the least, the median and the greatest time of a call in microseconds.
  std::string table() const;

 private:
  std::map<std::string, std::vector<double>, std::less<>> times_;
};

}  // namespace bertha::cuda
