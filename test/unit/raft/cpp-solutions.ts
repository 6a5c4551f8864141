/** For each built-in prompt a program that is right, and one with a mistake that programmers make. */
export const SOLUTIONS: Readonly<Record<string, readonly [right: string, wrong: string]>> = {
  'print-line': [
    '#include <cstdio>\nint main() { std::puts("Hello, llamatune!"); }',
    '#include <cstdio>\nint main() { std::puts("Hello, world!"); }',
  ],
  greet: [
    `#include <iostream>
#include <string>
int main() { std::string name; std::getline(std::cin, name); std::cout << "Good morning, " << name << ".\\n"; }`,
    `#include <iostream>
#include <string>
int main() { std::string name; std::cin >> name; std::cout << "Good morning, " << name << ".\\n"; }`,
  ],
  'count-and-largest': [
    `#include <climits>
#include <cstdio>
int main() { int n = 0, most = INT_MIN, x; while (std::scanf("%d", &x) == 1) { n++; if (x > most) most = x; } std::printf("%d %d\\n", n, most); }`,
    `#include <cstdio>
int main() { int n = 0, most = 0, x; while (std::scanf("%d", &x) == 1) { n++; if (x > most) most = x; } std::printf("%d %d\\n", n, most); }`,
  ],
  'temperature-table': [
    '#include <cstdio>\nint main() { for (int c = 0; c <= 50; c += 10) std::printf("%d %d\\n", c, c * 9 / 5 + 32); }',
    '#include <cstdio>\nint main() { for (int c = 0; c <= 50; c += 10) std::printf("%d %d\\n", c, 9 / 5 * c + 32); }',
  ],
  'divisor-and-multiple': [
    `#include <cstdio>
#include <numeric>
int main() { int a, b; std::scanf("%d %d", &a, &b); std::printf("%d %d\\n", std::gcd(a, b), std::lcm(a, b)); }`,
    `#include <cstdio>
#include <numeric>
int main() { int a, b; std::scanf("%d %d", &a, &b); std::printf("%d %d\\n", std::gcd(a, b), a * b); }`,
  ],
  'sum-of-multiples': [
    '#include <cstdio>\nint main() { int sum = 0; for (int i = 1; i < 100; i++) if (i % 3 == 0 || i % 7 == 0) sum += i; std::printf("%d\\n", sum); }',
    '#include <cstdio>\nint main() { int sum = 0; for (int i = 1; i < 100; i++) { if (i % 3 == 0) sum += i; if (i % 7 == 0) sum += i; } std::printf("%d\\n", sum); }',
  ],
  'reverse-array': [
    `#include <cstdio>
int main() { int n, a[100]; std::scanf("%d", &n); for (int i = 0; i < n; i++) std::scanf("%d", a + i);
for (int i = n - 1; i >= 0; i--) std::printf("%d%s", a[i], i > 0 ? " " : "\\n"); }`,
    `#include <cstdio>
int main() { int n, a[100] = {}; std::scanf("%d", &n); for (int i = 0; i < n; i++) std::scanf("%d", a + i);
for (int i = n; i > 0; i--) std::printf("%d%s", a[i], i > 1 ? " " : "\\n"); }`,
  ],
  'transpose-matrix': [
    `#include <cstdio>
int main() { int r, c, a[10][10]; std::scanf("%d %d", &r, &c);
for (int i = 0; i < r; i++) for (int k = 0; k < c; k++) std::scanf("%d", &a[i][k]);
for (int k = 0; k < c; k++) for (int i = 0; i < r; i++) std::printf("%d%s", a[i][k], i + 1 < r ? " " : "\\n"); }`,
    `#include <cstdio>
int main() { int r, c, a[10][10]; std::scanf("%d %d", &r, &c);
for (int i = 0; i < r; i++) for (int k = 0; k < c; k++) std::scanf("%d", &a[i][k]);
for (int i = 0; i < r; i++) for (int k = 0; k < c; k++) std::printf("%d%s", a[i][k], k + 1 < c ? " " : "\\n"); }`,
  ],
  'running-sums': [
    '#include <cstdio>\nint main() { int n, x, sum = 0; std::scanf("%d", &n); while (n-- > 0) { std::scanf("%d", &x); sum += x; std::printf("%d ", sum); } std::puts(""); }',
    '#include <cstdio>\nint main() { int n, x, sum = 0; std::scanf("%d", &n); while (n-- > 0) { std::scanf("%d", &x); std::printf("%d ", sum); sum += x; } std::puts(""); }',
  ],
  primes: [
    `#include <cstdio>
int main() { for (int n = 2; n <= 47; n++) { bool prime = true; for (int d = 2; d * d <= n; d++) if (n % d == 0) prime = false;
if (prime) std::printf("%d ", n); } std::puts(""); }`,
    `#include <cstdio>
int main() { for (int n = 2; n <= 47; n++) { bool prime = true; for (int d = 2; d * d < n; d++) if (n % d == 0) prime = false;
if (prime) std::printf("%d ", n); } std::puts(""); }`,
  ],
  fibonacci: [
    '#include <cstdio>\nint main() { int n, a = 0, b = 1; std::scanf("%d", &n); while (n-- > 0) { std::printf("%d ", a); int c = a + b; a = b; b = c; } std::puts(""); }',
    '#include <cstdio>\nint main() { int n, a = 1, b = 1; std::scanf("%d", &n); while (n-- > 0) { std::printf("%d ", a); int c = a + b; a = b; b = c; } std::puts(""); }',
  ],
  'binary-search': [
    `#include <cstdio>
int main() { int n, q, x, a[100]; std::scanf("%d", &n); for (int i = 0; i < n; i++) std::scanf("%d", a + i);
for (std::scanf("%d", &q); q > 0; q--) { std::scanf("%d", &x); int low = 0, high = n - 1, found = -1;
while (low <= high) { int mid = (low + high) / 2; if (a[mid] == x) { found = mid; break; } if (a[mid] < x) low = mid + 1; else high = mid - 1; }
std::printf("%d\\n", found); } }`,
    `#include <cstdio>
int main() { int n, q, x, a[100]; std::scanf("%d", &n); for (int i = 0; i < n; i++) std::scanf("%d", a + i);
for (std::scanf("%d", &q); q > 0; q--) { std::scanf("%d", &x); int low = 0, high = n - 1, found = -1;
while (low < high) { int mid = (low + high) / 2; if (a[mid] == x) { found = mid; break; } if (a[mid] < x) low = mid + 1; else high = mid - 1; }
std::printf("%d\\n", found); } }`,
  ],
  'collatz-steps': [
    '#include <cstdio>\nint main() { long n, steps = 0; std::scanf("%ld", &n); for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2; std::printf("%ld\\n", steps); }',
    '#include <cstdio>\nint main() { long n, steps = 1; std::scanf("%ld", &n); for (; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2; std::printf("%ld\\n", steps); }',
  ],
  palindromes: [
    `#include <cctype>
#include <iostream>
#include <string>
int main() { std::string line; while (std::getline(std::cin, line)) { std::string letters;
for (unsigned char c : line) if (std::isalpha(c)) letters += std::tolower(c);
std::cout << (letters == std::string(letters.rbegin(), letters.rend()) ? "yes\\n" : "no\\n"); } }`,
    `#include <iostream>
#include <string>
int main() { std::string line; while (std::getline(std::cin, line))
std::cout << (line == std::string(line.rbegin(), line.rend()) ? "yes\\n" : "no\\n"); }`,
  ],
  'caesar-cipher': [
    `#include <cstdio>
int main() { for (int c; (c = std::getchar()) != EOF;) { int base = c >= 'a' && c <= 'z' ? 'a' : c >= 'A' && c <= 'Z' ? 'A' : 0;
std::putchar(base ? (c - base + 3) % 26 + base : c); } }`,
    `#include <cstdio>
int main() { for (int c; (c = std::getchar()) != EOF;) { bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
std::putchar(letter ? c + 3 : c); } }`,
  ],
  'word-counts': [
    `#include <iostream>
#include <map>
#include <string>
int main() { std::map<std::string, int> counts; std::string word; while (std::cin >> word) counts[word]++;
for (auto & [each, count] : counts) std::cout << each << " " << count << "\\n"; }`,
    `#include <iostream>
#include <map>
#include <string>
int main() { std::map<std::string, int> counts; std::string word; std::cin >> word; while (std::cin >> word) counts[word]++;
for (auto & [each, count] : counts) std::cout << each << " " << count << "\\n"; }`,
  ],
};
