import { matchesWildcard } from '../core/wildcard.ts';
import { STEP, type Steps } from './steps.ts';
import type { LifecyclePolicy, LifecycleRule, RuleStorageClass } from './policy.ts';

/** What selections look at. */
export interface SelectableImage {
  readonly tags: readonly string[];
  readonly storageClass: RuleStorageClass;
}

/** Calls `visit` with the index of each rule that selects the image, in no order. */
export type SelectRules = (image: SelectableImage, visit: (rule: number) => void) => void;

/** A pattern of some rules, each of which is named once. */
interface Pattern {
  id: number;
  rules: number[];
}

/**
 * Compiles the rules' selections. Tags find their patterns by looking up their beginnings, not by trying each pattern:
 * fifty rules of prefixes cost little more than one.
 */
export function compileSelection(policy: LifecyclePolicy): SelectRules {
  const byText = new Map<string, Pattern>();
  const needed = new Int32Array(policy.rules.length);
  const byStatus: { rule: LifecycleRule; index: number }[] = [];
  for (const [index, rule] of policy.rules.entries()) {
    if (rule.tagStatus !== 'tagged') {
      byStatus.push({ rule, index });
      continue;
    }
    const texts = new Set(rule.patterns);
    needed[index] = rule.tagMatch === 'any' ? 1 : texts.size;
    for (const text of texts) {
      let pattern = byText.get(text);
      if (pattern === undefined) byText.set(text, (pattern = { id: byText.size, rules: [] }));
      pattern.rules.push(index);
    }
  }
  const find = compilePatterns(byText);
  const classes = policy.rules.map(({ storageClass }) => storageClass);

  // Which image last met a pattern or a rule: cheaper than clearing both for each.
  let turn = 0;
  const metPattern = new Int32Array(byText.size);
  const metRule = new Int32Array(policy.rules.length);
  const hits = new Int32Array(policy.rules.length);
  return (image, visit) => {
    turn++;
    for (const { rule, index } of byStatus) {
      if (rule.storageClass === image.storageClass && (rule.tagStatus === 'any' || image.tags.length === 0)) visit(index);
    }
    const meet = (pattern: Pattern): void => {
      if (metPattern[pattern.id] === turn) return;
      metPattern[pattern.id] = turn;
      for (const rule of pattern.rules) {
        if (classes[rule] !== image.storageClass) continue;
        const hit = metRule[rule] === turn ? (hits[rule] ?? 0) + 1 : 1;
        metRule[rule] = turn;
        hits[rule] = hit;
        if (hit === needed[rule]) visit(rule);
      }
    };
    for (const tag of image.tags) find(tag, meet);
  };
}

/** For each of the patterns that matches a tag of the images, the first such tag. */
export function* findMatches(
  patterns: readonly string[],
  images: readonly Pick<SelectableImage, 'tags'>[],
): Steps<Map<string, string>> {
  const texts = [...new Set(patterns)];
  const find = compilePatterns(new Map(texts.map((text, id) => [text, { id, rules: [] }])));
  const matches = new Map<string, string>();
  for (const [at, { tags }] of images.entries()) {
    if (matches.size === texts.length) break;
    if (at % STEP === 0) yield;
    for (const tag of tags)
      find(tag, ({ id }) => {
        const text = texts[id] ?? '';
        if (!matches.has(text)) matches.set(text, tag);
      });
  }
  return matches;
}

function compilePatterns(byText: ReadonlyMap<string, Pattern>): (tag: string, meet: (pattern: Pattern) => void) => void {
  const exact = new Map<string, Pattern>();
  const prefixes = new Map<string, Pattern>();
  const others: { text: string; pattern: Pattern }[] = [];
  for (const [text, pattern] of byText) {
    const star = text.indexOf('*');
    if (star < 0) exact.set(text, pattern);
    else if (star === text.length - 1) prefixes.set(text.slice(0, -1), pattern);
    else others.push({ text, pattern });
  }
  const lengths = [...new Set([...prefixes.keys()].map(({ length }) => length))].sort((a, b) => a - b);
  return (tag, meet) => {
    const whole = exact.get(tag);
    if (whole !== undefined) meet(whole);
    for (const length of lengths) {
      if (length > tag.length) break;
      const pattern = prefixes.get(tag.slice(0, length));
      if (pattern !== undefined) meet(pattern);
    }
    for (const { text, pattern } of others) if (matchesWildcard(text, tag)) meet(pattern);
  };
}
