const END = '</think>';

/** The text after the reasoning of an answer; '' if the reasoning did not end. */
export function withoutThinking(output: string): string {
  const end = output.lastIndexOf(END);
  if (end >= 0) return output.slice(end + END.length).trimStart();
  return output.trimStart().startsWith('<think>') ? '' : output;
}
