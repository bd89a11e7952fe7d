#include "k8s/text_template.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace bertha::k8s {
namespace {

TEST(TextTemplate, PlaceholdersInALineAreReplaced) {
  EXPECT_EQ(fill_template("a: {{x}}-{{y}}.\nb: {}\n", {{"x", "1"}, {"y", ""}}), "a: 1-.\nb: {}\n");
}

TEST(TextTemplate, BlockGetsTheIndentOfItsPlaceholder) {
  EXPECT_EQ(fill_template("a:\n  {{x}}\nb: 1\n", {{"x", "c:\n\n  - d\n"}}),
            "a:\n  c:\n\n    - d\nb: 1\n");
}

TEST(TextTemplate, EmptyBlockLeavesNoLine) {
  EXPECT_EQ(fill_template("a: 1\n  {{x}}\nb: 2\n", {{"x", ""}}), "a: 1\nb: 2\n");
}

TEST(TextTemplate, ValuesAreNotSearchedForPlaceholders) {
  EXPECT_EQ(fill_template("a: {{x}}\n{{x}}\n", {{"x", "{{y}}"}}), "a: {{y}}\n{{y}}\n");
}

TEST(TextTemplate, UnknownNameAndOpenPlaceholderAreDefects) {
  EXPECT_THROW(fill_template("a: {{y}}\n", {{"x", "1"}}), LogicError);
  EXPECT_THROW(fill_template("a: {{x\n", {{"x", "1"}}), LogicError);
}

}  // namespace
}  // namespace bertha::k8s
