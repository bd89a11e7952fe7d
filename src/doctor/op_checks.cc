#include "doctor/op_checks.h"

#include <exception>

#include "core/device.h"
#include "doctor/op_deviations.h"
#include "ops/every_op.h"

namespace bertha::doctor {
namespace {

template <typename... Ops>
std::vector<OpCheck> checks_of(ops::OpList<Ops...> /*list*/) {
  return {OpCheck{Ops::kName, deviation_of<Ops>}...};
}

/// Runs one check. False where the op has no such type on the device.
bool run_check(const OpCheck& check, Device& device, DType dtype, OpResult& result) {
  if (ops::kernels_of(device).support(check.op, dtype) == ops::Support::kAbsent) return false;
  result.op = check.op;
  result.dtype = name_of(dtype);
  try {
    OpWorkbench bench(device);
    const std::optional<double> deviation = check.deviation(bench, dtype);
    if (!deviation) return false;
    result.deviation = *deviation;
  } catch (const std::exception& error) {
    result.error = error.what();
  }
  return true;
}

}  // namespace

std::vector<OpCheck> op_checks() {
  return checks_of(ops::EveryOp());
}

std::vector<OpResult> check_ops(Device& device) {
  std::vector<OpResult> results;
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    if (dtype == DType::kBF16 && !device.has_bf16()) continue;
    for (const OpCheck& check : op_checks()) {
      OpResult result;
      if (run_check(check, device, dtype, result)) results.push_back(result);
    }
  }
  return results;
}

}  // namespace bertha::doctor
