/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Much inlined and templated C++: what test/integration/test_symbols.py symbolizes. Never profiled.
 */
#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace shapes {
template <typename T, int N> struct Grid {
	std::vector<T> cells = std::vector<T>(N * N);
	T &at(int x, int y) { return cells[x * N + y]; }
	template <typename F> auto fold(F f) const
	{
		return std::accumulate(cells.begin(), cells.end(), T{}, f);
	}
};

struct Shape {
	virtual ~Shape() = default;
	virtual double area() const = 0;
};
struct Square : Shape {
	double side;
	explicit Square(double s) : side(s) {}
	double area() const override { return side * side; }
};
struct Disc : Shape {
	double radius;
	explicit Disc(double r) : radius(r) {}
	double area() const override { return 3.14159 * radius * radius; }
};

using Any = std::variant<int, double, std::string>;

static std::string describe(const Any &any)
{
	return std::visit(
		[](const auto &v) {
			std::ostringstream out;
			out << v;
			return out.str();
		},
		any);
}
} // namespace shapes

template <typename K> static std::size_t count_words(const std::string &text)
{
	std::unordered_map<std::string, K> counts;
	std::istringstream in(text);
	std::string word;

	while (in >> word)
		counts[word]++;
	return counts.size();
}

int main(int argc, char **argv)
{
	shapes::Grid<int, 8> small;
	shapes::Grid<double, 16> large;
	std::vector<std::unique_ptr<shapes::Shape>> all;
	std::map<std::string, std::function<double(double)>> table;
	std::regex pattern("([a-z]+)=([0-9]+)");
	std::smatch match;
	std::string text = argc > 1 ? argv[1] : "width=12 height=9 width=3";

	for (int i = 0; i < 64; i++)
		small.at(i / 8, i % 8) = large.at(i / 16, i % 16) = i * argc;
	all.push_back(std::make_unique<shapes::Square>(argc));
	all.push_back(std::make_unique<shapes::Disc>(argc));
	std::sort(all.begin(), all.end(),
		  [](const auto &a, const auto &b) { return a->area() > b->area(); });
	table["double"] = [](double v) { return 2 * v; };
	table["square"] = [](double v) { return v * v; };
	for (const auto &[name, f] : table)
		std::printf("%s %f\n", name.c_str(), f(all.front()->area()));
	if (std::regex_search(text, match, pattern))
		std::puts(match[1].str().c_str());
	std::puts(shapes::describe(shapes::Any(text)).c_str());
	std::puts(shapes::describe(shapes::Any(3.5)).c_str());
	std::printf("%d %f %zu\n", small.fold([](int a, int b) { return a ^ b; }),
		    large.fold([](double a, double b) { return a + b; }),
		    count_words<int>(text) + count_words<long>(text));
	return 0;
}
