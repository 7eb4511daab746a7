import { html } from 'hono/html';
import type { Entitlement } from '../../../../core/entitlements/read';
import { badge, empty, link, moment, panel, table, type Html } from './parts';

/** What a user may use now in one project. */
export interface ProjectEntitlements {
  /** Empty for what belongs to no project. */
  readonly projectId: string;
  readonly entitlements: readonly Entitlement[];
}

/** @param projects those in which the user ever had something; undefined before a user was asked for */
export function entitlementsView(projects: readonly ProjectEntitlements[] | undefined): Html {
  return html`<h1 tabindex="-1">Entitlements</h1>
    ${
      projects === undefined
        ? empty('Whose?', 'Give the id that your application writes into `user_id` of Stripe’s metadata.')
        : projects.length === 0
          ? empty(
              'This user never had anything',
              'Was the purchase made for another id? `ops entitlements unowned` lists what belongs to nobody.',
            )
          : projects.map(projectPanel)
    }`;
}

function projectPanel({ projectId, entitlements }: ProjectEntitlements): Html {
  const title = projectId === '' ? 'Without a project' : `Project ${projectId}`;
  return panel(
    title,
    entitlements.length === 0
      ? empty('Nothing now', 'The user had something here once, and it ended.')
      : table(
          `What the user may use: ${title}`,
          ['Feature', 'Because of', 'From', 'Until'],
          entitlements.map(({ feature, source, sourceId, validFrom, validUntil }) => ({
            key: `${feature} ${sourceId}`,
            cells: [
              html`<strong>${feature}</strong>`,
              html`${source} ${link('events', { about: sourceId }, html`<code>${sourceId}</code>`)}`,
              moment(validFrom),
              validUntil === null ? badge('for good', 'good') : moment(validUntil),
            ],
          })),
        ),
  );
}
