/** ChatML, with system, user and assistant turns. */
export const chatTemplate =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** Control tokens, in the order in which they end the vocabulary. */
export const specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
