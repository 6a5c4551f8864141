/** A programming task in C++, for the verifier `{ type: 'run', language: 'cpp' }`. */
export interface CppPrompt {
  name: string;
  category: 'input and output' | 'arithmetic' | 'arrays' | 'algorithms' | 'strings';
  prompt: string;
  /** Standard input of the program. */
  stdin: string;
  /** Expected standard output. */
  expected: string;
}

/** Sixteen small programming tasks in C++, in five categories, each with an input and the expected output. */
export const CPP_PROMPTS: readonly CppPrompt[] = [
  {
    name: 'print-line',
    category: 'input and output',
    prompt: 'Write a C++ program that prints the line "Hello, llamatune!" and nothing else.',
    stdin: '',
    expected: 'Hello, llamatune!\n',
  },
  {
    name: 'greet',
    category: 'input and output',
    prompt:
      'Write a C++ program that reads one line with a full name from standard input, for example Alan Turing, and prints ' +
      '"Good morning, Alan Turing." with that name. The name may have several words.',
    stdin: 'Ada King Lovelace\n',
    expected: 'Good morning, Ada King Lovelace.\n',
  },
  {
    name: 'count-and-largest',
    category: 'input and output',
    prompt:
      'Write a C++ program that reads integers from standard input until the input ends. It prints how many integers there ' +
      'were and the largest of them, in one line with a space between the two.',
    stdin: '-7 -2\n-19 -4\n-3\n',
    expected: '5 -2\n',
  },
  {
    name: 'temperature-table',
    category: 'arithmetic',
    prompt:
      'Write a C++ program that converts the temperatures 0, 10, 20, 30, 40 and 50 from Celsius to Fahrenheit. For each it ' +
      'prints a line with both numbers as integers and a space between them. The first line is "0 32".',
    stdin: '',
    expected: '0 32\n10 50\n20 68\n30 86\n40 104\n50 122\n',
  },
  {
    name: 'divisor-and-multiple',
    category: 'arithmetic',
    prompt:
      'Write a C++ program that reads two positive integers from standard input and prints their greatest common divisor ' +
      'and their least common multiple in one line, with a space between them.',
    stdin: '84 36\n',
    expected: '12 252\n',
  },
  {
    name: 'sum-of-multiples',
    category: 'arithmetic',
    prompt:
      'Write a C++ program that prints the sum of all positive integers below 100 that are divisible by 3 or by 7 or by both.',
    stdin: '',
    expected: '2208\n',
  },
  {
    name: 'reverse-array',
    category: 'arrays',
    prompt:
      'Write a C++ program that reads a number n and then n integers from standard input. It prints the integers in reverse ' +
      'order in one line, separated by single spaces.',
    stdin: '6\n3 1 4 1 5 9\n',
    expected: '9 5 1 4 1 3\n',
  },
  {
    name: 'transpose-matrix',
    category: 'arrays',
    prompt:
      'Write a C++ program that reads the number of rows and the number of columns of a matrix of integers from standard ' +
      'input, then the matrix row by row. It prints the transposed matrix, one row per line, with single spaces between ' +
      'the numbers.',
    stdin: '2 3\n1 2 3\n4 5 6\n',
    expected: '1 4\n2 5\n3 6\n',
  },
  {
    name: 'running-sums',
    category: 'arrays',
    prompt:
      'Write a C++ program that reads a number n and then n integers from standard input. It prints n numbers in one line, ' +
      'separated by single spaces: the k-th one is the sum of the first k integers.',
    stdin: '5\n2 4 -6 8 10\n',
    expected: '2 6 0 8 18\n',
  },
  {
    name: 'primes',
    category: 'algorithms',
    prompt:
      'Write a C++ program that prints all prime numbers up to and including 47 in ascending order in one line, separated ' +
      'by single spaces.',
    stdin: '',
    expected: '2 3 5 7 11 13 17 19 23 29 31 37 41 43 47\n',
  },
  {
    name: 'fibonacci',
    category: 'algorithms',
    prompt:
      'Write a C++ program that reads a number n from standard input and prints the first n Fibonacci numbers, starting with ' +
      '0 and 1, in one line, separated by single spaces.',
    stdin: '12\n',
    expected: '0 1 1 2 3 5 8 13 21 34 55 89\n',
  },
  {
    name: 'binary-search',
    category: 'algorithms',
    prompt:
      'Write a C++ program that reads a number n, then n different integers in ascending order, then a number q, then q ' +
      'integers to look for. For each of these it prints a line with its index in the sorted integers, counted from 0, or ' +
      '-1 if it is not there.',
    stdin: '5\n2 3 5 8 13\n5\n8 4 2 13 3\n',
    expected: '3\n-1\n0\n4\n1\n',
  },
  {
    name: 'collatz-steps',
    category: 'algorithms',
    prompt:
      'Write a C++ program that reads a positive integer from standard input. While it is not 1, the program replaces it by ' +
      'its half if it is even, and otherwise by three times itself plus one. It prints how many replacements were made.',
    stdin: '27\n',
    expected: '111\n',
  },
  {
    name: 'palindromes',
    category: 'strings',
    prompt:
      'Write a C++ program that reads lines from standard input until the input ends. For each line it prints "yes" if its ' +
      'letters read the same forwards and backwards, otherwise "no". Everything that is not a letter is ignored, and upper ' +
      'and lower case count as the same.',
    stdin: 'Never odd or even\nllama\nWas it a car or a cat I saw?\n',
    expected: 'yes\nno\nyes\n',
  },
  {
    name: 'caesar-cipher',
    category: 'strings',
    prompt:
      'Write a C++ program that reads one line from standard input and prints it with each letter of the English alphabet ' +
      'replaced by the letter three places later. After z it continues with a, and the case of each letter stays. All other ' +
      'characters stay as they are.',
    stdin: 'Meet at noon, Xyz!\n',
    expected: 'Phhw dw qrrq, Abc!\n',
  },
  {
    name: 'word-counts',
    category: 'strings',
    prompt:
      'Write a C++ program that reads all words from standard input; words are separated by white space and have only ' +
      'lower-case letters. For each different word, in alphabetical order, it prints a line with the word, a space and the ' +
      'number of times it occurred.',
    stdin: 'the cat and the dog and\nthe bird\n',
    expected: 'and 2\nbird 1\ncat 1\ndog 1\nthe 3\n',
  },
];
