import { writeFileSync } from 'node:fs';

/** Loaded before a measured program: leaves the most memory that it ever had, in KiB, in the file that HOLDFAST_BENCH_MEMORY names. */
process.on('exit', () => writeFileSync(process.env['HOLDFAST_BENCH_MEMORY']!, String(process.resourceUsage().maxRSS)));
