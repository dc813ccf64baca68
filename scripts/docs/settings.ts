import { SETTINGS, type Setting } from '../../src/config.ts';
import { markdownTable } from './markdown.ts';

/** docs/settings.md: every setting of the server, from the list that reads them. */
export function settingsPage(): string {
  const rows = SETTINGS.map((setting: Setting) => [
    `\`${setting.variable}\``,
    `\`--${setting.flag}\``,
    setting.fallback === undefined ? '' : `\`${setting.fallback}\``,
    setting.help,
  ]);
  return [
    '# Settings of the server',
    '',
    'Each is an environment variable, and a flag of `holdfast serve` with the same meaning; the flag wins.',
    '',
    markdownTable(['Variable', 'Flag', 'Default', 'What it sets'], rows),
  ].join('\n');
}
