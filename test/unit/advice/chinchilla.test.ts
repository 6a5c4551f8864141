import { describe, expect, it } from 'vitest';
import {
  CHINCHILLA_LAW,
  chinchillaAdvice,
  computeOptimalTokens,
  effectiveTokens,
  predictedLoss,
} from '../../../src/advice/chinchilla.js';

describe('computeOptimalTokens', () => {
  it('minimizes the loss among all models of the same compute', () => {
    const parameters = 7e9;
    const tokens = computeOptimalTokens(parameters);
    const lossOf = (factor: number) => predictedLoss(parameters * factor, tokens / factor);
    for (const factor of [0.5, 0.9, 0.99, 1.01, 1.1, 2])
      expect(lossOf(factor)).toBeGreaterThan(lossOf(1));
  });

  it('is the allocation of Chinchilla: 70 B parameters and 1.4 T tokens', () => {
    // Besiroglu et al. 2024: their fit agrees with the 20 tokens per parameter of Chinchilla
    expect(computeOptimalTokens(70e9) / 1.4e12).toBeGreaterThan(0.85);
    expect(computeOptimalTokens(70e9) / 1.4e12).toBeLessThan(1.15);
  });

  it('scales as tokens ∝ compute^0.49, parameters ∝ compute^0.51', () => {
    const { alpha, beta } = CHINCHILLA_LAW;
    const [small, large] = [1e9, 1e11];
    const compute = (n: number) => n * computeOptimalTokens(n);
    const exponent = Math.log(large / small) / Math.log(compute(large) / compute(small));
    expect(exponent).toBeCloseTo(beta / (alpha + beta), 10);
    expect(exponent).toBeCloseTo(0.513, 3);
  });

  it('reproduces table A3 of Hoffmann et al. with their own constants', () => {
    // alpha and beta as in the TeX source; the printed ones are rounded to 0.34 and 0.28
    const law = { E: 1.6934, A: 406.4, B: 410.7, alpha: 0.3392, beta: 0.2849 };
    for (const [parameters, tokens] of [
      [400e6, 9.2e9],
      [1e9, 27.1e9],
      [10e9, 410.1e9],
      [67e9, 4.1e12],
    ] as const) {
      expect(Math.abs(computeOptimalTokens(parameters, law) / tokens - 1)).toBeLessThan(0.12);
    }
  });
});

describe('effectiveTokens', () => {
  it('counts the first epoch in full and never more than 16.4 epochs', () => {
    expect(effectiveTokens(1000, 1)).toBe(1000);
    expect(effectiveTokens(1, 1e6)).toBeCloseTo(1 + 15.387756, 6);
  });

  it('makes 4 epochs worth 93 % of fresh data and 40 epochs little more than 16', () => {
    expect(effectiveTokens(1, 4) / 4).toBeCloseTo(0.931, 3);
    expect(effectiveTokens(1, 40)).toBeLessThan(16);
  });
});

describe('chinchillaAdvice', () => {
  it('follows table 3 of Hoffmann et al.', () => {
    for (const [parameters, tokens, flop] of [
      [400e6, 8.0e9, 1.92e19],
      [1e9, 20.2e9, 1.21e20],
      [10e9, 205.1e9, 1.23e22],
      [67e9, 1.5e12, 5.76e23],
    ] as const) {
      const { rule, ...advice } = chinchillaAdvice({ parameters, tokens, mode: 'full' });
      expect(rule.tokens / tokens).toBeGreaterThan(0.88);
      expect(rule.tokens / tokens).toBeLessThan(1.02);
      expect(advice.epochs).toBe(1);
      // 67 B and 1.5 T are rounded in the table
      expect(advice.flop / flop).toBeGreaterThan(0.95);
      expect(advice.flop / flop).toBeLessThan(1.06);
    }
  });

  it('advises at most 4 epochs of a small dataset', () => {
    const advice = chinchillaAdvice({ parameters: 600e6, tokens: 22_041 });
    expect(advice.epochs).toBe(4);
    expect(advice.trainedTokens).toBe(88_164);
    expect(advice.effectiveTokens / advice.trainedTokens).toBeCloseTo(0.931, 3);
    expect(advice.rule.epochs).toBeCloseTo(12e9 / 22_041, 3);
  });

  it('says that it is advice, and what is not known about LoRA', () => {
    const lora = chinchillaAdvice({ parameters: 1e9, tokens: 1e9 }).notes.join('\n');
    expect(lora).toContain('advice');
    expect(lora).toContain('pre-training from scratch');
    expect(lora).toContain('No such law is established for LoRA');
    const full = chinchillaAdvice({ parameters: 1e9, tokens: 1e9, mode: 'full' }).notes.join('\n');
    expect(full).not.toContain('LoRA');
  });

  it('refuses wrong numbers', () => {
    expect(() => chinchillaAdvice({ parameters: 0, tokens: 1.5 })).toThrow(
      /parameters: expected .* but received 0[\s\S]*tokens: expected .* but received 1.5/,
    );
  });
});
