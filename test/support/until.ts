import { setTimeout } from 'node:timers/promises';

/** Asks again and again until there is an answer, and gives it: for what nobody tells. Raises after a minute. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await setTimeout(50);
  }
  throw new Error(`a minute went by without ${what}`);
}
