"""create users"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "4f1c2ab01d7e"
down_revision = None


def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("role", sa.Enum("owner", "member", name="user_role"), server_default="member", nullable=False),
        sa.Column("settings", postgresql.JSONB, server_default="{}", nullable=False),
        sa.UniqueConstraint("email"),
    )


def downgrade():
    op.drop_table("users")
    op.execute("DROP TYPE user_role")
