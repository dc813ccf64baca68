import type { Constraint } from './read-shape.ts';

/** How a service words the constraint that an input breaks. The member's name goes around it, in the service's own way. */
export type ConstraintGrammar = (constraint: Constraint) => string;

/** The wording that most AWS services share. */
export const commonGrammar: ConstraintGrammar = (constraint) => {
  switch (constraint.kind) {
    case 'required':
      return 'Member must not be null';
    case 'min-length':
      return `Member must have length greater than or equal to ${constraint.limit}`;
    case 'max-length':
      return `Member must have length less than or equal to ${constraint.limit}`;
    case 'min-value':
      return `Member must have value greater than or equal to ${constraint.limit}`;
    case 'max-value':
      return `Member must have value less than or equal to ${constraint.limit}`;
    case 'pattern':
      return `Member must satisfy regular expression pattern: ${constraint.text}`;
    case 'enum':
      return `Member must satisfy enum value set: [${constraint.values.join(', ')}]`;
  }
};
