#include "comm/gradient_reducer.h"

#include <utility>

#include "comm/buckets.h"

namespace bertha::comm {

GradientReducer::GradientReducer(Device& device, const Tensor& gradients, int64_t micro_batches,
                                 const ReduceOptions& options, Communicator& world,
                                 std::vector<int64_t> partition)
    : device_(device),
      gradients_(gradients),
      options_(options),
      world_(world),
      partition_(std::move(partition)),
      not_started_(gradients.size()) {
  if (options.fixed_order) tree_.emplace(device, gradients.size(), micro_batches);
}

void GradientReducer::fold() {
  if (tree_) tree_->fold(device_, inout(gradients_));
}

void GradientReducer::gradients_final(int64_t from) {
  const auto start = [this](int64_t offset, int64_t count) {
    const InOut piece(gradients_.rows(offset, count));
    if (tree_) tree_->fold_last(piece, offset);
    world_.all_reduce_async(piece, options_);
  };
  not_started_ = cut_buckets(not_started_, from, world_.bucket_elements(options_), start);
  world_.progress_all_reduces();
}

void GradientReducer::end_overlap() {
  not_started_ = 0;
  if (tree_) tree_->reset();
}

void GradientReducer::reduce() {
  if (world_.ranks() == 1) return;
  device_.synchronize();
  if (!partition_.empty()) {
    world_.reduce_scatter(inout(gradients_), partition_, options_);
  } else if (not_started_ == 0) {
    world_.wait_all_reduces();
  } else {
    world_.all_reduce(inout(gradients_), options_);
  }
  not_started_ = gradients_.size();
}

}  // namespace bertha::comm
