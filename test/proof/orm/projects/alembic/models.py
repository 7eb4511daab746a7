import enum
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Role(enum.Enum):
    owner = "owner"
    member = "member"


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(200), unique=True)
    role: Mapped[Role] = mapped_column(sa.Enum(Role, name="user_role"), server_default="member")
    settings: Mapped[dict] = mapped_column(postgresql.JSONB, server_default="{}")


class Project(Base):
    __tablename__ = "projects"
    __table_args__ = (
        sa.CheckConstraint("budget >= 0", name="projects_budget_check"),
        sa.Index("projects_labels_index", "labels", postgresql_using="gin"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    labels: Mapped[list[str]] = mapped_column(postgresql.ARRAY(sa.Text))
    budget: Mapped[float] = mapped_column(sa.Numeric(12, 2))
    taxed: Mapped[float] = mapped_column(sa.Numeric, sa.Computed("budget * 1.19", persisted=True))
